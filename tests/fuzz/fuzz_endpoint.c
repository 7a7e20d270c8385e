/* Any text either becomes an endpoint that holds what endpoint.h promises, or a fault. */
#include "engine/io/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char url[2048];
    struct endpoint ep;
    struct fault fault;
    char header[ENDPOINT_HOST_BYTES + 10];

    size = MIN(size, sizeof(url) - 1);
    memcpy(url, data, size);
    url[size] = '\0';
    if (!endpoint_parse(url, &ep, &fault)) {
        ASSERT(fault.text[0] != '\0');
        return 0;
    }
    ASSERT(ep.host[0] != '\0' && ep.path[0] == '/' && ep.port != 0);
    for (const char *p = ep.path; *p != '\0'; p++)
        ASSERT(*p > ' ' && *p < 0x7f);
    for (const char *p = ep.host; *p != '\0'; p++)
        ASSERT(*p > ' ' && *p < 0x7f && *p != '@' && *p != '/');
    endpoint_host_header(&ep, header);
    ASSERT(strlen(header) >= strlen(ep.host));
    return 0;
}
