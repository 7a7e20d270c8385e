#include "feed/crc32.h"

void
crc32_init(struct crc32 *c)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t r = b;
        for (unsigned bit = 0; bit < 8; bit++)
            r = (r & 1) != 0 ? r >> 1 ^ UINT32_C(0xEDB88320) : r >> 1;
        c->table[0][b] = r;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned b = 0; b < 256; b++)
            c->table[k][b] = c->table[k - 1][b] >> 8 ^ c->table[0][c->table[k - 1][b] & 0xFF];
    }
}

uint32_t
crc32_of(const struct crc32 *c, const void *bytes, size_t n)
{
    const uint8_t *p = (const uint8_t *)bytes;
    uint32_t crc = UINT32_MAX;

    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low;
        uint32_t high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc; /* little-endian, as everything here */
        crc = c->table[7][low & 0xFF] ^ c->table[6][low >> 8 & 0xFF] ^ c->table[5][low >> 16 & 0xFF] ^
              c->table[4][low >> 24] ^ c->table[3][high & 0xFF] ^ c->table[2][high >> 8 & 0xFF] ^
              c->table[1][high >> 16 & 0xFF] ^ c->table[0][high >> 24];
    }
    for (; n > 0; p++, n--)
        crc = crc >> 8 ^ c->table[0][(crc ^ *p) & 0xFF];
    return ~crc;
}
