export * from "./constants.ts";
export * from "./epoll.ts";
export * from "./errno.ts";
export * from "./journal.ts";
export * from "./libraries.ts";
export * from "./netns.ts";
export * from "./syscalls.ts";
export * from "./thrown.ts";
