#include "base/chance.h"

#include <unistd.h>

uint32_t chance_number(uint32_t otherwise)
{
    uint32_t number;
    return getentropy(&number, sizeof number) == 0 ? number : otherwise;
}
