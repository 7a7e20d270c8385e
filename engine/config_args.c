/* The command line of execgw. See config_load.h. */
#include "engine/build_commit.h"
#include "engine/config_load.h"

static const char usage[] = "usage: execgw --config FILE [--paper|--live] [--new-journal] [--record DIR]\n             "
                            " [--check-config] [--print-config]\n"
                            "       execgw --help-config | --version | --help\n";

static const char help[] = "\n"
                           "  --config FILE    read this configuration (default config.toml)\n"
                           "  --paper          orders go to the in-process matcher, whatever the file says\n"
                           "  --live           real orders; the file must say mode = \"live\" as well\n"
                           "  --new-journal    for this start: an instrument that the journal has not seen begins\n"
                           "                   at position 0, though the account has traded it\n"
                           "  --record DIR     record everything that the core sees into the new folder DIR, for\n"
                           "                   execgw-cli replay\n"
                           "  --check-config   check everything, say so, stop\n"
                           "  --print-config   show every merged value and where it came from, stop\n"
                           "  --help-config    describe every key as Markdown, stop\n"
                           "  --version        say which version this is, stop\n"
                           "  --help           this text\n"
                           "\n"
                           "Exit codes: 0 ok, 1 failure, 64 usage, 69 unavailable, 78 configuration.\n";

/* CONFIG_GO, or the exit code when that was all. */
int
config_args_read(int argc, char *const *argv, struct config_args *a, FILE *out, FILE *err)
{
    *a = (struct config_args){ .file = "config.toml", .record = "" };
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--config") == 0 && i + 1 < argc) {
            a->file = argv[++i];
        } else if (strncmp(arg, "--config=", 9) == 0 && arg[9] != '\0') {
            a->file = arg + 9;
        } else if (strcmp(arg, "--record") == 0 && i + 1 < argc) {
            a->record = argv[++i];
        } else if (strcmp(arg, "--paper") == 0) {
            a->paper = true;
        } else if (strcmp(arg, "--live") == 0) {
            a->live = true;
        } else if (strcmp(arg, "--new-journal") == 0) {
            a->new_journal = true;
        } else if (strcmp(arg, "--check-config") == 0) {
            a->check = true;
        } else if (strcmp(arg, "--print-config") == 0) {
            a->print = true;
        } else if (strcmp(arg, "--help-config") == 0) {
            config_help_markdown(out);
            return EXIT_OK;
        } else if (strcmp(arg, "--version") == 0) {
            (void)fprintf(out, "execgw %s (commit %s)\n", EXECGW_VERSION, build_commit);
            return EXIT_OK;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            (void)fprintf(out, "%s%s", usage, help);
            return EXIT_OK;
        } else {
            bool file = strcmp(arg, "--config") == 0 || strcmp(arg, "--config=") == 0;
            bool dir = strcmp(arg, "--record") == 0;
            (void)fprintf(err, "execgw: %s \"%.80s\", see --help\n",
                          file  ? "a file must follow"
                          : dir ? "a folder must follow"
                                : "unknown argument",
                          arg);
            return EXIT_USAGE;
        }
    }
    if (a->paper && a->live) {
        (void)fprintf(err, "execgw: --paper and --live exclude each other, expected one of them\n");
        return EXIT_USAGE;
    }
    if (strlen(a->file) >= CONFIG_PATH_BYTES) {
        (void)fprintf(err, "execgw: the path after --config is longer than %d bytes\n", CONFIG_PATH_BYTES - 1);
        return EXIT_USAGE;
    }
    return CONFIG_GO;
}
