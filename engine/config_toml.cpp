// TOML text -> a walk over its values; see config_toml.h. The only C++ in the gateway: toml++ in, plain C values out.
//
// Always true: no exception leaves config_toml_walk(); the walk keeps its own stack of at most DEPTH_MAX tables.
//
// Two defects of toml++ 3.3 are kept away from it: it asserts instead of reporting a '[' that no key follows ("[=x]";
// without assertions that is undefined behaviour), so its assertions become exceptions here, in every build; and its
// test for white space is undefined for some characters, so what is not ASCII is refused outside comments first.
#undef NDEBUG
#define TOML_EXCEPTIONS            1
#define TOML_ENABLE_FORMATTERS     0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#define TOML_ASSERT(expr)          ((expr) ? static_cast<void>(0) : toml_assertion_failed())
struct toml_assertion {
};
[[noreturn]] static void toml_assertion_failed();
#include <toml++/toml.h>

#include "engine/config_toml.h"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

[[noreturn]] static void
toml_assertion_failed()
{
    throw toml_assertion();
}

namespace
{

constexpr unsigned DEPTH_MAX = 6;

struct place {
    toml::table::const_iterator at;
    toml::table::const_iterator end;
    size_t path_len; // of the table's own path
};

struct walk {
    void (*visit)(void *, const config_toml_value *);
    void *ctx;
    std::string path;
};

bool
plain_key(std::string_view key)
{
    if (key.empty())
        return false;
    for (char c : key) {
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '/';
        if (!ok)
            return false;
    }
    return true;
}

const char *
other_name(toml::node_type type)
{
    switch (type) {
    case toml::node_type::floating_point: return "a float";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return "a date or time";
    case toml::node_type::array: return "a list";
    case toml::node_type::table: return "a table";
    default: return "of an unknown type";
    }
}

void
emit(const walk &w, const toml::node &node, const toml::source_position &where, bool item)
{
    config_toml_value v = {};
    std::string text;

    v.path = w.path.c_str();
    v.item = item;
    v.line = where.line;
    v.column = where.column;
    v.text = "";
    if (const auto *s = node.as_string()) {
        text = s->get();
        v.kind = CONFIG_TOML_TEXT;
        v.text = text.c_str();
        v.text_len = text.size();
    } else if (const auto *i = node.as_integer()) {
        v.kind = CONFIG_TOML_INT;
        v.number = i->get();
    } else if (const auto *b = node.as_boolean()) {
        v.kind = CONFIG_TOML_BOOL;
        v.number = b->get() ? 1 : 0;
    } else if (node.is_array() && !item) {
        const toml::array &list = *node.as_array();
        v.kind = CONFIG_TOML_LIST;
        v.number = static_cast<int64_t>(list.size());
        w.visit(w.ctx, &v);
        for (const toml::node &entry : list)
            emit(w, entry, entry.source().begin, true); // one level only: a list in a list is OTHER
        return;
    } else if (node.is_table() && !item) {
        v.kind = CONFIG_TOML_TABLE;
    } else {
        v.kind = CONFIG_TOML_OTHER;
        v.text = other_name(node.type());
    }
    w.visit(w.ctx, &v);
}

bool
walk_tables(walk &w, const toml::table &root, config_toml_error *error)
{
    place stack[DEPTH_MAX] = {};
    unsigned depth = 1;

    stack[0] = { root.cbegin(), root.cend(), 0 };
    while (depth > 0) {
        place &p = stack[depth - 1];
        w.path.resize(p.path_len);
        if (p.at == p.end) {
            depth--;
            continue;
        }
        const toml::key &key = p.at->first;
        const toml::node &node = p.at->second;
        toml::source_position where = key.source().begin;
        ++p.at;
        if (!plain_key(key.str())) {
            config_toml_value v = {};
            v.kind = CONFIG_TOML_BAD_KEY;
            v.path = w.path.c_str();
            v.text = "";
            v.line = where.line;
            v.column = where.column;
            w.visit(w.ctx, &v);
            continue;
        }
        if (!w.path.empty())
            w.path += '.';
        w.path += key.str();
        emit(w, node, where, false);
        if (const toml::table *table = node.as_table()) {
            if (depth == DEPTH_MAX) {
                *error = { where.line, where.column, "tables nest too deep, expected at most five levels" };
                return false;
            }
            stack[depth] = { table->cbegin(), table->cend(), w.path.size() };
            depth++;
        }
    }
    return true;
}

// Where a quoted string that starts at text[at] ends: past its closing quote, or the end of its line (of the text, for
// three quotes) when it is not closed; toml++ will say so.
size_t
string_end(std::string_view text, size_t at)
{
    char quote = text[at];
    bool triple = text.substr(at, 3) == std::string(3, quote);

    for (at += triple ? 3 : 1; at < text.size(); at++) {
        if (quote == '"' && text[at] == '\\') {
            at++;
        } else if (triple) {
            if (text.substr(at, 3) == std::string(3, quote))
                return at + 3;
        } else if (text[at] == quote || text[at] == '\n') {
            return at + 1;
        }
    }
    return text.size();
}

// Only comments may hold other than printable ASCII. False with the place of the first that does.
bool
text_plain(std::string_view text, config_toml_error *error)
{
    size_t at = 0;
    size_t quoted_to = 0; // inside a string up to here

    *error = { 1, 0, "" };
    for (; at < text.size(); at++) {
        unsigned char c = static_cast<unsigned char>(text[at]);
        error->column++;
        if (c == '\n') {
            error->line++;
            error->column = 0;
        } else if (c == '#' && at >= quoted_to) {
            size_t end = text.find('\n', at);
            at = (end == std::string_view::npos ? text.size() : end) - 1; // column starts anew there
        } else if ((c < 0x20 && c != '\t' && c != '\r') || c >= 0x7f) {
            (void)std::snprintf(error->text, sizeof(error->text),
                                "a character that is not printable ASCII, expected those in comments only");
            return false;
        } else if ((c == '"' || c == '\'') && at >= quoted_to) {
            quoted_to = string_end(text, at);
        }
    }
    return true;
}

// The first table header that starts with what no key starts with: where toml++ asserts.
void
header_error(std::string_view text, config_toml_error *error)
{
    uint32_t line = 1;

    *error = { 1, 1, "it cannot be read" };
    for (size_t at = 0; at < text.size(); line++) {
        std::string_view row = text.substr(at, text.find('\n', at) - at);
        at += row.size() + 1;
        size_t i = row.find_first_not_of(" \t");
        if (i == std::string_view::npos || row[i] != '[')
            continue;
        i = row.find_first_not_of("[ \t", i);
        if (i == std::string_view::npos || plain_key(row.substr(i, 1)) || row[i] == '"' || row[i] == '\'')
            continue;
        *error = { line, static_cast<uint32_t>(i + 1), "a section's name starts with a character that no key has" };
        return;
    }
}

} // namespace

extern "C" bool
config_toml_walk(const char *text, size_t len, void (*visit)(void *ctx, const config_toml_value *v), void *ctx,
                 config_toml_error *error)
{
    if (len >= 3 && std::string_view(text, 3) == "\xef\xbb\xbf") { // a byte order mark
        text += 3;
        len -= 3;
    }
    try {
        if (!text_plain(std::string_view(text, len), error))
            return false;
        const toml::table root = toml::parse(std::string_view(text, len));
        walk w = { visit, ctx, std::string() };
        return walk_tables(w, root, error);
    } catch (const toml::parse_error &e) {
        std::string_view why = e.description();
        error->line = e.source().begin.line;
        error->column = e.source().begin.column;
        (void)std::snprintf(error->text, sizeof(error->text), "%.*s", static_cast<int>(why.size()), why.data());
    } catch (const toml_assertion &) {
        header_error(std::string_view(text, len), error);
    } catch (const std::exception &e) {
        *error = {};
        (void)std::snprintf(error->text, sizeof(error->text), "%s", e.what());
    } catch (...) {
        *error = {};
        (void)std::snprintf(error->text, sizeof(error->text), "it cannot be read");
    }
    return false;
}
