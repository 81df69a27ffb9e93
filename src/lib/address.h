/*
 * address: where somebody listens, as text: tcp:PORT, tcp:ADDRESS:PORT, the same with udp:, and
 * unix:/PATH[:MODE[:USER[:GROUP]]]. Addresses are numbers, names are not looked up; those of IPv6
 * stand in brackets. Without one it is every address of the machine, of IPv4 and IPv6.
 */
#ifndef COPPICE_LIB_ADDRESS_H
#define COPPICE_LIB_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ADDRESS_PATH_SIZE  108 /* of struct sockaddr_un */
#define ADDRESS_OWNER_SIZE 34
#define ADDRESS_MODE       0660

enum address_kind {
	ADDRESS_TCP,
	ADDRESS_UDP,
	ADDRESS_UNIX
};

/* Unused bytes are zero. */
struct address {
	enum address_kind kind;
	int family;     /* AF_UNSPEC: every address of both families */
	uint8_t ip[16]; /* of AF_INET the first 4, of AF_INET6 all */
	uint16_t port;
	char path[ADDRESS_PATH_SIZE]; /* of a UNIX socket */
	mode_t mode;
	char user[ADDRESS_OWNER_SIZE],
	    group[ADDRESS_OWNER_SIZE]; /* names or numbers; "": our own */
};

/* NULL, or what is wrong, as what follows on `"tcp:x" `; static text. */
const char *address_read(const char *text, struct address *out);
/* Whether one of them takes what the other listens on. */
bool address_overlaps(const struct address *a, const struct address *b);
/* The same for two that are the same place, whatever their mode and owner; not 0. */
uint64_t address_hash(const struct address *address);

#endif
