// Which characters a name may have: the rule is the same for sections and servers. Pure; any thread.

/** The first character that a proxy's or server's name must not have, or undefined. */
export function invalidNameCharacter(name: string): string | undefined {
  return /[^A-Za-z0-9_:.-]/u.exec(name)?.[0];
}
