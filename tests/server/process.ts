/* Threads, descriptors and memory of a running process. */
import { readdirSync, readFileSync } from "node:fs";
import { descriptors, here, type Running } from "../harness/index.ts";

/* A file about each thread of a process, with the thread's id; empty for one that has ended since it was listed. */
function ofThreads(pid: number, file: "comm" | "status"): { id: string; text: string }[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    try {
      return { id, text: readFileSync(`/proc/${pid}/task/${id}/${file}`, "utf8") };
    } catch {
      return { id, text: "" };
    }
  });
}

/** The names of the threads of a process, at most 15 characters each. */
export function threadNames(pid: number): string[] {
  return ofThreads(pid, "comm").map(({ text }) => text);
}

/** The ids of the serving threads of a process. */
export function servingThreads(pid: number): string[] {
  const all = ofThreads(pid, "comm").filter(({ text }) => /^xsocket \d/.test(text));
  return all.map(({ id }) => id);
}

/** What a pattern matches in the status of each thread of a process. */
export function inStatus(pid: number, pattern: RegExp): string[] {
  return ofThreads(pid, "status").flatMap(({ text }) => text.match(pattern) ?? []);
}

/** The lowest free descriptor number of a process. */
export function firstFree(pid: number): number {
  const used = descriptors(pid);
  let free = 0;
  while (used.has(free)) free++;
  return free;
}

/** Sets the soft limit of open files of a process. */
export async function limitDescriptors(pid: number, soft: number): Promise<void> {
  const { code, stderr } = await here.run(["prlimit", "--pid", String(pid), `--nofile=${soft}:`]);
  if (code !== 0) throw new Error(stderr);
}

/** Traces a thread, or with -f a process, by strace(1) until disposed of. */
export async function traced(id: number | string, ...options: string[]): Promise<Running> {
  const strace = here.spawn(["strace", ...options, "-p", String(id)]);
  await strace.says(/attached/);
  return strace;
}

/** Resident memory of a process in MB: all of it, or only anonymous pages. */
export function residentMb(pid: number, which: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}
