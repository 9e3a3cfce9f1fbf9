/* Prints the cookie of the network namespace that it runs in. */
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { netnsCookie } from "./cookie.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;

const fd = checked("socket", loadSyscalls().socket(AF_INET, SOCK_DGRAM, 0));
process.stdout.write(String(netnsCookie(fd)));
