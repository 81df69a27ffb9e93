/*
 * product: the compile product (compile.h), from a configuration without errors.
 */
#ifndef COPPICE_CONFIG_PRODUCT_H
#define COPPICE_CONFIG_PRODUCT_H

#include "config/build.h"
#include "config/daemon.h"

void product_write(
    const struct build *build, const struct daemon_settings *settings, struct buf *out);

#endif
