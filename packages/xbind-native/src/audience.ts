/* Whom messages are for. The command says so when it starts; else it is a program that uses the packages. */
let isCommand = false;

/** Says that messages are for users of the command, and not for those of the packages. */
export function speakForCommand(): void {
  isCommand = true;
}

/** A part of a message that differs: what a program can use, and what a user of the command can. */
export function worded(program: string, command = ""): string {
  return isCommand ? command : program;
}
