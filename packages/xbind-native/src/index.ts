export * from "./audience.ts";
export * from "./constants.ts";
export { epollFds, type Registration, registrations } from "./epoll.ts";
export * from "./errno.ts";
export * from "./journal.ts";
export { InstallationError, libraryPath, LibraryNotFoundError } from "./libraries.ts";
export * from "./netns.ts";
export * from "./syscalls.ts";
export * from "./thrown.ts";
