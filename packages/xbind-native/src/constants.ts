/* The kernel's constants for system calls, named as in the manual pages. */

// poll(2)
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLHUP = 0x10;
export const POLLRDHUP = 0x2000;

// epoll_ctl(2)
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
// All but EPOLLET have the numbers of poll(2).
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000;

// shutdown(2)
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

// socket(7) and unix(7)
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_PEERCRED = 17;
export const SO_ACCEPTCONN = 30;
export const SO_DOMAIN = 39;
export const SO_PEERGROUPS = 59;
export const SO_NETNS_COOKIE = 71;
export const SO_PEERPIDFD = 77;
export const SO_PASSRIGHTS = 83;

// xattr(7): the attribute that holds an access list, acl(5)
export const XATTR_ACL = "system.posix_acl_access";
