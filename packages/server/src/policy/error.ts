/** A policy cannot be used. The message has one line for each problem. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  /** What is wrong, each with the rule it is about. */
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[], options?: ErrorOptions) {
    super(problems.map((problem) => `${source}: ${problem}`).join("\n"), options);
    this.problems = problems;
  }
}
