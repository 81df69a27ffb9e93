/*
 * xml: text inside elements and attributes of XML.
 */
#ifndef COPPICE_CTL_XML_H
#define COPPICE_CTL_XML_H

#include "lib/buf.h"

/* Escaped; what XML cannot hold (control characters, bytes that are no UTF-8) becomes '?'. */
void xml_put(struct buf *out, const char *text);

#endif
