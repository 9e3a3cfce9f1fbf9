/* SPDX-License-Identifier: MIT */
/*
 * option_rows.h - the rows of the table of options
 *
 * The order is that in which options are looked at and carried over: one that changes another as a
 * side effect comes before it. The numbers are those of the kernel's generic ABI, written out since
 * a libc may not have the name yet; the few that PowerPC has changed go by name. An option that the
 * kernel does not know reads as an error and is skipped. options.h explains the columns, options.c
 * defines the abbreviations.
 */
#ifndef XBIND_OPTION_ROWS_H
#define XBIND_OPTION_ROWS_H

/* level, number, what the row is called, bytes, how, flags, other */
/* clang-format off */
#define OPTION_ROWS(ROW) \
/* SOL_SOCKET, first those that others build on */ \
ROW(SOCKET, 1,  DEBUG,            INT, PLAIN,  0, 0) \
ROW(SOCKET, 15, REUSEPORT,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 5,  DONTROUTE,        INT, PLAIN,  SAFETY, 0) \
ROW(SOCKET, 6,  BROADCAST,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 9,  KEEPALIVE,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 10, OOBINLINE,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 11, NO_CHECK,         INT, PLAIN,  0, 0) \
ROW(SOCKET, 13, LINGER,           8,   LINGER, 0, 0) \
ROW(SOCKET, SO_PASSCRED, PASSCRED, INT, PLAIN,  0, 0) \
ROW(SOCKET, 34, PASSSEC,          INT, PLAIN,  0, 0) \
ROW(SOCKET, RCVTIMEO_64, RCVTIMEO, 16, TIME, EXPLICIT, 0) \
ROW(SOCKET, SNDTIMEO_64, SNDTIMEO, 16, TIME, EXPLICIT, 0) \
ROW(SOCKET, 36, MARK,             INT, PLAIN,  SAFETY | EXPLICIT, 0) \
ROW(SOCKET, 29, TIMESTAMP_OLD,    INT, PLAIN,  0, 0) \
ROW(SOCKET, 35, TIMESTAMPNS_OLD,  INT, PLAIN,  0, 0) \
ROW(SOCKET, 63, TIMESTAMP_NEW,    INT, PLAIN,  0, 0) \
ROW(SOCKET, 64, TIMESTAMPNS_NEW,  INT, PLAIN,  0, 0) \
ROW(SOCKET, 40, RXQ_OVFL,         INT, PLAIN,  0, 0) \
ROW(SOCKET, 41, WIFI_STATUS,      INT, PLAIN,  0, 0) \
ROW(SOCKET, 42, PEEK_OFF,         INT, PLAIN,  0, 0) \
ROW(SOCKET, 43, NOFCS,            INT, PLAIN,  0, 0) \
ROW(SOCKET, 45, SELECT_ERR_QUEUE, INT, PLAIN,  0, 0) \
ROW(SOCKET, 46, BUSY_POLL,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 69, PREFER_BUSY_POLL, INT, PLAIN,  0, 0) \
ROW(SOCKET, 70, BUSY_POLL_BUDGET, INT, LAST,   0, 0) \
ROW(SOCKET, 47, MAX_PACING_RATE,  8,   PLAIN,  0, 0) \
ROW(SOCKET, 49, INCOMING_CPU,     INT, PLAIN,  0, 0) \
ROW(SOCKET, 60, ZEROCOPY,         INT, PLAIN,  0, 0) \
ROW(SOCKET, 61, TXTIME,           8,   PLAIN,  EXPLICIT, 0) \
ROW(SOCKET, 73, RESERVE_MEM,      INT, PLAIN,  0, 0) \
ROW(SOCKET, 74, TXREHASH,         INT, PLAIN,  EXPLICIT, 0) \
ROW(SOCKET, 75, RCVMARK,          INT, PLAIN,  0, 0) \
ROW(SOCKET, 76, PASSPIDFD,        INT, PLAIN,  0, 0) \
ROW(SOCKET, 82, RCVPRIORITY,      INT, PLAIN,  0, 0) \
/* IPPROTO_IP; an IPv6 socket has them too, and shares FREEBIND and TRANSPARENT with its own */ \
ROW(IP, 1,  TOS,                   INT, PLAIN, 0, 0) \
ROW(IP, 2,  TTL,                   INT, PLAIN, EXPLICIT, 0) \
ROW(IP, 4,  OPTIONS,               40,  HEADERS, 0, 0) \
ROW(IP, 6,  RECVOPTS,              INT, PLAIN, 0, 0) \
ROW(IP, 7,  RETOPTS,               INT, PLAIN, 0, 0) \
ROW(IP, 8,  PKTINFO,               INT, PLAIN, 0, 0) \
ROW(IP, 10, MTU_DISCOVER,          INT, PLAIN, EXPLICIT, 0) \
ROW(IP, 11, RECVERR,               INT, PLAIN, 0, 0) \
ROW(IP, 12, RECVTTL,               INT, PLAIN, 0, 0) \
ROW(IP, 13, RECVTOS,               INT, PLAIN, 0, 0) \
ROW(IP, 15, FREEBIND,              INT, PLAIN, SAFETY | UNREADABLE, 0) \
ROW(IP, 16, IPSEC_POLICY,          1024, EACH, SAFETY | POLICY, 0) \
ROW(IP, 17, XFRM_POLICY,           1024, EACH, SAFETY | POLICY, 0) \
ROW(IP, 18, PASSSEC,               INT, PLAIN, 0, 0) \
ROW(IP, 19, TRANSPARENT,           INT, PLAIN, SAFETY | UNREADABLE, 0) \
ROW(IP, 20, RECVORIGDSTADDR,       INT, PLAIN, 0, 0) \
ROW(IP, 21, MINTTL,                INT, PLAIN, SAFETY, 0) \
ROW(IP, 23, CHECKSUM,              INT, PLAIN, 0, 0) \
ROW(IP, 24, BIND_ADDRESS_NO_PORT,  INT, PLAIN, 0, 0) \
ROW(IP, 25, RECVFRAGSIZE,          INT, PLAIN, 0, 0) \
ROW(IP, 26, RECVERR_RFC4884,       INT, PLAIN, 0, 0) \
ROW(IP, 33, MULTICAST_TTL,         INT, PLAIN, 0, 0) \
ROW(IP, 34, MULTICAST_LOOP,        INT, PLAIN, 0, 0) \
ROW(IP, 49, MULTICAST_ALL,         INT, PLAIN, 0, 0) \
ROW(IP, 50, UNICAST_IF,            INT, PLAIN, 0, 0) \
ROW(IP, 51, LOCAL_PORT_RANGE,      INT, PLAIN, 0, 0) \
ROW(IP, 32, MULTICAST_IF,          12, MULTICAST_IF, 0, 0) \
ROW(IP, 35, ADD_MEMBERSHIP,        12,  EACH,  0, 0) \
ROW(IP, 36, DROP_MEMBERSHIP,       12,  UNDO,  0, 35) \
ROW(IP, 39, ADD_SOURCE_MEMBERSHIP, 12,  EACH,  ONE_SOURCE, 0) \
ROW(IP, 40, DROP_SOURCE_MEMBERSHIP, 12, UNDO,  0, 39) \
ROW(IP, 38, BLOCK_SOURCE,          12,  EACH,  0, 0) \
ROW(IP, 37, UNBLOCK_SOURCE,        12,  UNDO,  0, 38) \
ROW(IP, 41, MSFILTER,              LIST, EACH, ALL_SOURCES, 0) \
ROW(IP, 42, MCAST_JOIN_GROUP,      136, EACH,  0, 0) \
ROW(IP, 45, MCAST_LEAVE_GROUP,     136, UNDO,  0, 42) \
ROW(IP, 46, MCAST_JOIN_SOURCE,     264, EACH,  ONE_SOURCE, 0) \
ROW(IP, 47, MCAST_LEAVE_SOURCE,    264, UNDO,  0, 46) \
ROW(IP, 43, MCAST_BLOCK_SOURCE,    264, EACH,  0, 0) \
ROW(IP, 44, MCAST_UNBLOCK_SOURCE,  264, UNDO,  0, 43) \
ROW(IP, 48, MCAST_MSFILTER,        LIST, EACH, ALL_SOURCES, 0) \
/* IPPROTO_IPV6 */ \
ROW(IP6, 26, V6ONLY,               INT, PLAIN, SAFETY | UNREADABLE | EXPLICIT | BOOL, 0) \
ROW(IP6, 2,  OLD_PKTINFO,          INT, PLAIN, 0, 0) \
ROW(IP6, 3,  OLD_HOPOPTS,          INT, PLAIN, 0, 0) \
ROW(IP6, 4,  OLD_DSTOPTS,          INT, PLAIN, 0, 0) \
ROW(IP6, 5,  OLD_RTHDR,            INT, PLAIN, 0, 0) \
ROW(IP6, 8,  OLD_HOPLIMIT,         INT, PLAIN, 0, 0) \
ROW(IP6, 11, FLOWINFO,             INT, PLAIN, 0, 0) \
ROW(IP6, 16, UNICAST_HOPS,         INT, PLAIN, EXPLICIT, 0) \
ROW(IP6, 18, MULTICAST_HOPS,       INT, PLAIN, 0, 0) \
ROW(IP6, 19, MULTICAST_LOOP,       INT, PLAIN, 0, 0) \
ROW(IP6, 23, MTU_DISCOVER,         INT, PLAIN, 0, 0) \
ROW(IP6, 24, MTU,                  INT, LAST,  0, 0) \
ROW(IP6, 25, RECVERR,              INT, PLAIN, 0, 0) \
ROW(IP6, 29, MULTICAST_ALL,        INT, PLAIN, 0, 0) \
ROW(IP6, 30, ROUTER_ALERT_ISOLATE, INT, PLAIN, 0, 0) \
ROW(IP6, 31, RECVERR_RFC4884,      INT, PLAIN, 0, 0) \
ROW(IP6, 33, FLOWINFO_SEND,        INT, PLAIN, 0, 0) \
ROW(IP6, 34, IPSEC_POLICY,         1024, EACH, SAFETY | POLICY, 0) \
ROW(IP6, 35, XFRM_POLICY,          1024, EACH, SAFETY | POLICY, 0) \
ROW(IP6, 49, RECVPKTINFO,          INT, PLAIN, 0, 0) \
ROW(IP6, 51, RECVHOPLIMIT,         INT, PLAIN, 0, 0) \
ROW(IP6, 53, RECVHOPOPTS,          INT, PLAIN, 0, 0) \
ROW(IP6, 54, HOPOPTS,              2048, HEADERS, 0, 0) \
ROW(IP6, 55, RTHDRDSTOPTS,         2048, HEADERS, 0, 0) \
ROW(IP6, 56, RECVRTHDR,            INT, PLAIN, 0, 0) \
ROW(IP6, 57, RTHDR,                2048, HEADERS, 0, 0) \
ROW(IP6, 58, RECVDSTOPTS,          INT, PLAIN, 0, 0) \
ROW(IP6, 59, DSTOPTS,              2048, HEADERS, 0, 0) \
ROW(IP6, 60, RECVPATHMTU,          INT, PLAIN, 0, 0) \
ROW(IP6, 62, DONTFRAG,             INT, PLAIN, 0, 0) \
ROW(IP6, 66, RECVTCLASS,           INT, PLAIN, 0, 0) \
ROW(IP6, 67, TCLASS,               INT, PLAIN, 0, 0) \
ROW(IP6, 70, AUTOFLOWLABEL,        INT, PLAIN, EXPLICIT | BOOL, 0) \
ROW(IP6, 72, ADDR_PREFERENCES,     INT, PLAIN, 0, 0) \
ROW(IP6, 73, MINHOPCOUNT,          INT, PLAIN, SAFETY, 0) \
ROW(IP6, 74, RECVORIGDSTADDR,      INT, PLAIN, 0, 0) \
ROW(IP6, 75, TRANSPARENT,          INT, PLAIN, SAFETY | UNREADABLE, 0) \
ROW(IP6, 76, UNICAST_IF,           INT, PLAIN, 0, 0) \
ROW(IP6, 77, RECVFRAGSIZE,         INT, PLAIN, 0, 0) \
ROW(IP6, 78, FREEBIND,             INT, PLAIN, SAFETY | UNREADABLE, 0) \
ROW(IP6, 17, MULTICAST_IF,         INT, PLAIN, 0, 0) \
ROW(IP6, 50, PKTINFO,              20,  LAST,  0, 0) \
ROW(IP6, 32, FLOWLABEL_MGR,        1024, EACH, 0, 0) \
ROW(IP6, 20, ADD_MEMBERSHIP,       20,  EACH,  0, 0) \
ROW(IP6, 21, DROP_MEMBERSHIP,      20,  UNDO,  0, 20) \
ROW(IP6, 27, JOIN_ANYCAST,         20,  EACH,  0, 0) \
ROW(IP6, 28, LEAVE_ANYCAST,        20,  UNDO,  0, 27) \
ROW(IP6, 42, MCAST_JOIN_GROUP,     136, EACH,  0, 0) \
ROW(IP6, 45, MCAST_LEAVE_GROUP,    136, UNDO,  0, 42) \
ROW(IP6, 46, MCAST_JOIN_SOURCE,    264, EACH,  ONE_SOURCE, 0) \
ROW(IP6, 47, MCAST_LEAVE_SOURCE,   264, UNDO,  0, 46) \
ROW(IP6, 43, MCAST_BLOCK_SOURCE,   264, EACH,  0, 0) \
ROW(IP6, 44, MCAST_UNBLOCK_SOURCE, 264, UNDO,  0, 43) \
ROW(IP6, 48, MCAST_MSFILTER,       LIST, EACH, ALL_SOURCES, 0) \
/* IPPROTO_TCP; the congestion control first, REPAIR before what can be set only under it */ \
ROW(TCP, 13, CONGESTION,           16,  PLAIN, EXPLICIT, 0) \
ROW(TCP, 44, RTO_MAX_MS,           INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 45, RTO_MIN_US,           INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 46, DELACK_MAX_US,        INT, PLAIN, 0, 0) \
ROW(TCP, 1,  NODELAY,              INT, PLAIN, 0, 0) \
ROW(TCP, 2,  MAXSEG,               INT, SEGMENT, EXPLICIT, 0) \
ROW(TCP, 3,  CORK,                 INT, PLAIN, 0, 0) \
ROW(TCP, 4,  KEEPIDLE,             INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 5,  KEEPINTVL,            INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 6,  KEEPCNT,              INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 7,  SYNCNT,               INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 8,  LINGER2,              INT, PLAIN, EXPLICIT, 0) \
ROW(TCP, 9,  DEFER_ACCEPT,         INT, PLAIN, 0, 0) \
ROW(TCP, 12, QUICKACK,             INT, PLAIN, 0, 0) \
ROW(TCP, 16, THIN_LINEAR_TIMEOUTS, INT, PLAIN, 0, 0) \
ROW(TCP, 17, THIN_DUPACK,          INT, PLAIN, 0, 0) \
ROW(TCP, 18, USER_TIMEOUT,         INT, PLAIN, 0, 0) \
ROW(TCP, 23, FASTOPEN,             INT, PLAIN, 0, 0) \
ROW(TCP, 30, FASTOPEN_CONNECT,     INT, PLAIN, 0, 0) \
ROW(TCP, 33, FASTOPEN_KEY,         32,  PLAIN, 0, 0) \
ROW(TCP, 34, FASTOPEN_NO_COOKIE,   INT, PLAIN, 0, 0) \
ROW(TCP, 25, NOTSENT_LOWAT,        INT, PLAIN, 0, 0) \
ROW(TCP, 27, SAVE_SYN,             INT, PLAIN, 0, 0) \
ROW(TCP, 36, INQ,                  INT, PLAIN, 0, 0) \
ROW(TCP, 37, TX_DELAY,             INT, PLAIN, 0, 0) \
ROW(TCP, 14, MD5SIG,               216, EACH,  SAFETY, 0) \
ROW(TCP, 32, MD5SIG_EXT,           216, EACH,  SAFETY, 0) \
ROW(TCP, 38, AO_ADD_KEY,           512, EACH,  SAFETY, 0) \
ROW(TCP, 39, AO_DEL_KEY,           512, EACH,  SAFETY, 0) \
ROW(TCP, 40, AO_INFO,              128, EACH,  SAFETY, 0) \
ROW(TCP, 31, ULP,                  16,  LAST,  SAFETY, 0) \
ROW(TCP, 19, REPAIR,               INT, PLAIN, SAFETY, 0) \
ROW(TCP, 21, QUEUE_SEQ,            INT, QUEUES, 0, 0) \
ROW(TCP, 20, REPAIR_QUEUE,         INT, PLAIN, 0, 0) \
ROW(TCP, 29, REPAIR_WINDOW,        20,  REPAIR, 0, 0) \
ROW(TCP, 24, TIMESTAMP,            INT, REPAIR, 0, 0) \
/* IPPROTO_UDP, IPPROTO_UDPLITE */ \
ROW(UDP, 1,   CORK,                INT, PLAIN, 0, 0) \
ROW(UDP, 100, ENCAP,               INT, PLAIN, 0, 0) \
ROW(UDP, 101, NO_CHECK6_TX,        INT, PLAIN, 0, 0) \
ROW(UDP, 102, NO_CHECK6_RX,        INT, PLAIN, 0, 0) \
ROW(UDP, 103, SEGMENT,             INT, PLAIN, 0, 0) \
ROW(UDP, 104, GRO,                 INT, PLAIN, 0, 0) \
ROW(LITE, 10, SEND_CSCOV,          INT, PLAIN, EXPLICIT, 0) \
ROW(LITE, 11, RECV_CSCOV,          INT, PLAIN, EXPLICIT, 0) \
/* what options above change as a side effect */ \
ROW(SOCKET, 2,  REUSEADDR,         INT, EFFECT, 0, 0) \
ROW(SOCKET, 12, PRIORITY,          INT, PRIORITY, EXPLICIT, 0) \
ROW(SOCKET, SO_RCVLOWAT, RCVLOWAT, INT, PLAIN,  0, 0) \
ROW(SOCKET, 7,  SNDBUF,            INT, BUFFER, 0, 32) \
ROW(SOCKET, 8,  RCVBUF,            INT, BUFFER, 0, 33) \
ROW(TCP, 10, WINDOW_CLAMP,         INT, EFFECT, 0, 0) \
ROW(SOCKET, 72, BUF_LOCK,          INT, EFFECT, 0, 0) \
/* filters last, then their lock; the device after all that must match it, then its timestamps */ \
ROW(SOCKET, 51, ATTACH_REUSEPORT_CBPF, 16, LAST_PROG, SAFETY, 0) \
ROW(SOCKET, 52, ATTACH_REUSEPORT_EBPF, INT, LAST_FD, SAFETY, 0) \
ROW(SOCKET, 68, DETACH_REUSEPORT_BPF, INT, UNDO, 0, 51) \
ROW(SOCKET, 50, ATTACH_BPF,        INT, LAST_FD, SAFETY, 0) \
ROW(SOCKET, 0,  RECORDS,           0,   RECORDS, SAFETY, 0) \
ROW(SOCKET, 25, BINDTODEVICE,      16,  NAME,    SAFETY | EXPLICIT, 0) \
ROW(SOCKET, 62, BINDTOIFINDEX,     INT, INDEX,   SAFETY | EXPLICIT, 0) \
ROW(SOCKET, 37, TIMESTAMPING_OLD,  8,   PLAIN,  0, 0) \
ROW(SOCKET, 65, TIMESTAMPING_NEW,  8,   PLAIN,  0, 0) \
ROW(SOCKET, 26, ATTACH_FILTER,     16,  FILTER, SAFETY, 0) \
ROW(SOCKET, 44, LOCK_FILTER,       INT, PLAIN,  SAFETY, 0)
/* clang-format on */

#endif
