// Writes settings as TOML: tables, strings, numbers, booleans and lists of them. A quoted string, a number
// and a list of those are the same in TOML as in JSON, which is all that is needed here.

/** `value` as a TOML document. */
export function toToml(value, path = []) {
  const entries = Object.entries(value);
  const isTable = ([, entry]) => typeof entry === "object" && !Array.isArray(entry);
  const line = ([name, entry]) => `${JSON.stringify(name)} = ${JSON.stringify(entry)}\n`;
  const table = ([name, entry]) => {
    const inner = [...path, name];
    return `\n[${inner.map((part) => JSON.stringify(part)).join(".")}]\n${toToml(entry, inner)}`;
  };
  return [
    ...entries.filter((entry) => !isTable(entry)).map(line),
    ...entries.filter(isTable).map(table),
  ].join("");
}
