// How settings are compared: a table names, for every field of a part of the model, the keyword that people know it by. A field that
// the model gains does not compile before a table has it, so none can change unseen. Pure; any thread.

import type { SourcePlace } from "../model.ts";
import type { SettingChange } from "./model.ts";
import { sameValue } from "./same-value.ts";
import { valueText } from "./value-text.ts";

/** A field with a keyword of its own. `text` gives undefined for what reads as not set (a flag that is off). */
interface NamedSetting<V> {
  readonly name: string;
  readonly text: (value: V) => string | undefined;
  /** Whether two values mean the same; absent: if they are equal. */
  readonly isSame?: (a: V, b: V) => boolean;
}

/** A field that holds settings itself. With `presence`: if only one side has it, that is one change of this name. */
interface NestedSettings<V> {
  readonly table: SettingTable<V>;
  readonly presence?: NamedSetting<V>;
}

/** null: no setting, or one that is compared elsewhere. */
type Row<V> = NamedSetting<V> | NestedSettings<V> | null;

/** For each field of `T` its keyword. */
export type SettingTable<T> = { readonly [K in keyof T]-?: Row<NonNullable<T[K]>> };

/** A setting shown as its value. */
export const setting = <V>(name: string, text: (value: V) => string | undefined = valueText): NamedSetting<V> => ({
  name,
  text,
});

/** A setting of which two values are the same if they read the same. */
export const settingByText = <V>(name: string, text: (value: V) => string): NamedSetting<V> => ({
  name,
  text,
  isSame: (a, b) => text(a) === text(b),
});

/** A setting that is there or not. */
export const flag = (name: string): NamedSetting<boolean> => ({ name, text: (on) => (on ? "on" : undefined) });

export const nested = <V>(table: SettingTable<V>, presence?: NamedSetting<V>): NestedSettings<V> => ({
  table,
  ...(presence === undefined ? {} : { presence }),
});

type AnyRow = NonNullable<Row<unknown>>;

/** A table without what is no setting, ready to be walked for every server: keys, and what is known of each. */
interface Columns {
  readonly keys: readonly string[];
  readonly rows: readonly AnyRow[];
}

const columnsOf = new WeakMap<object, Columns>();

function columns(table: object): Columns {
  const known = columnsOf.get(table);
  if (known !== undefined) return known;
  const entries = Object.entries(table).filter((entry): entry is [string, AnyRow] => entry[1] !== null);
  const found = { keys: entries.map(([key]) => key), rows: entries.map(([, row]) => row) };
  columnsOf.set(table, found);
  return found;
}

/** The changes from `old` to `now` that the table knows, added to `changes`. */
export function compareSettings<T extends object>(
  table: SettingTable<T>,
  old: T,
  now: T,
  place: SourcePlace | undefined,
  changes: SettingChange[],
): void {
  const { keys, rows } = columns(table);
  // Without iterators: with tens of thousands of servers they would be most of the time.
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? "";
    const before = (old as Record<string, unknown>)[key];
    const after = (now as Record<string, unknown>)[key];
    if (before === after) continue;
    const row = rows[i];
    if (row === undefined) continue;
    if (!("table" in row)) compareOne(row, before, after, place, changes);
    else if (row.presence !== undefined && (before === undefined || after === undefined)) {
      compareOne(row.presence, before, after, place, changes);
    } else compareNested(row.table as SettingTable<object>, before ?? {}, after ?? {}, place, changes);
  }
}

/** Parts of the model that were found to have the same settings, new one to old one: thousands of servers may share one. */
const knownSame = new WeakMap<object, object>();

function compareNested(
  table: SettingTable<object>,
  old: object,
  now: object,
  place: SourcePlace | undefined,
  changes: SettingChange[],
): void {
  if (knownSame.get(now) === old) return;
  const before = changes.length;
  compareSettings(table, old, now, place, changes);
  if (changes.length === before) knownSame.set(now, old);
}

function compareOne(
  { name, text, isSame = sameValue }: NamedSetting<unknown>,
  before: unknown,
  after: unknown,
  place: SourcePlace | undefined,
  changes: SettingChange[],
): void {
  if (before !== undefined && after !== undefined && isSame(before, after)) return;
  const old = before === undefined ? undefined : text(before);
  const now = after === undefined ? undefined : text(after);
  if (old !== undefined || now !== undefined) changes.push(changeOf(name, old, now, place));
}

/** A change for the list, its place left out where there is none. */
export function changeOf(
  name: string,
  old: string | undefined,
  now: string | undefined,
  place: SourcePlace | undefined,
): SettingChange {
  return place === undefined ? { name, old, new: now } : { name, old, new: now, place };
}
