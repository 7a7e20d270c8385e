/* Runs one fuzz target over the files of its corpus folder: every past finding stays a test. A missing folder fails. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    unsigned files = 0;
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;

    if (d == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER (which must exist)\n", argv[0]);
        return 1;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        FILE *f = fopen(path, "rb");
        if (f == NULL)
            return 1;
        (void)fseek(f, 0, SEEK_END);
        size_t n = (size_t)ftell(f);
        rewind(f);
        uint8_t *data = malloc(n + 1); /* heap: the sanitizer sees a read past the end */
        if (data == NULL || fread(data, 1, n, f) != n)
            return 1;
        uint8_t *exact = realloc(data, n > 0 ? n : 1);
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
        (void)fclose(f);
        files++;
    }
    (void)closedir(d);
    printf("%u inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
