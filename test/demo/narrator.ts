let steps = 0;

/** A new step of the story. */
export function step(title: string): void {
  steps++;
  console.log(`\n${steps}. ${title}`);
}

/** Something that was seen, indented under its step. */
export function say(text: string): void {
  for (const line of text.split('\n')) console.log(`   ${line}`);
}

/** How many steps were told. */
export function told(): number {
  return steps;
}
