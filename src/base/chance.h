/*
 * chance: random numbers, for what nobody may foresee, or for what must not happen to all at once.
 */
#ifndef FP_BASE_CHANCE_H
#define FP_BASE_CHANCE_H

#include <stdint.h>

/* A random number; `otherwise` if the system has none to give. */
uint32_t chance_number(uint32_t otherwise);

#endif
