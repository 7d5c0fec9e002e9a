/** What a file system takes for one name, though the bytes differ. */
export interface NameFolding {
  /** `Config.json` is `config.json`. */
  readonly ofCase: boolean;
  /** An accented letter is the letter with its accent. */
  readonly ofForm: boolean;
}

/** What all names have in common that such a file system takes for one. */
export function foldedBy({ ofCase, ofForm }: NameFolding, name: string): string {
  const formed = ofForm ? name.normalize('NFD') : name;
  return ofCase ? withoutCase(formed) : formed;
}

/** As widely as any file system folds: for names that must not be met by any detour. */
export function foldedName(name: string): string {
  const visible = name.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
  return withoutCase(visible).replace(/[. ]+$/, '');
}

/** By way of capitals, since some letters have only these in common. */
function withoutCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}
