// TOML text -> a walk over its values; see config_toml.h. The only C++ in the gateway: toml++ in, plain C values out.
//
// Always true: no exception leaves config_toml_walk(); the walk keeps its own stack of at most DEPTH_MAX tables.
#define TOML_EXCEPTIONS            0
#define TOML_ENABLE_FORMATTERS     0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

#include "engine/config_toml.h"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

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
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
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

} // namespace

extern "C" bool
config_toml_walk(const char *text, size_t len, void (*visit)(void *ctx, const config_toml_value *v), void *ctx,
                 config_toml_error *error)
{
    try {
        toml::parse_result result = toml::parse(std::string_view(text, len));
        if (!result) {
            const toml::parse_error &e = result.error();
            std::string_view why = e.description();
            error->line = e.source().begin.line;
            error->column = e.source().begin.column;
            (void)std::snprintf(error->text, sizeof(error->text), "%.*s", static_cast<int>(why.size()), why.data());
            return false;
        }
        walk w = { visit, ctx, std::string() };
        return walk_tables(w, result.table(), error);
    } catch (const std::exception &e) {
        *error = {};
        (void)std::snprintf(error->text, sizeof(error->text), "%s", e.what());
    } catch (...) {
        *error = {};
        (void)std::snprintf(error->text, sizeof(error->text), "it cannot be read");
    }
    return false;
}
