// Shows a program a processor without AES, as the Raspberry Pi 4 has it: LD_PRELOAD for `cross/try`.
#define _GNU_SOURCE
#include <dlfcn.h>

enum { AT_HWCAP = 16 };
enum { HWCAP_AES = 1 << 3, HWCAP_PMULL = 1 << 4 };

unsigned long getauxval(unsigned long type) {
    unsigned long (*next)(unsigned long) = dlsym(RTLD_NEXT, "getauxval");
    return type == AT_HWCAP ? next(type) & ~(unsigned long)(HWCAP_AES | HWCAP_PMULL) : next(type);
}
