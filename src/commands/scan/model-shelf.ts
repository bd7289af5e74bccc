/** The device models as a scan needs them: what each is called, and how its registers are read. */
import type { DeviceConfig } from "../../config/config.ts";
import { modelNames, showModel } from "../../config/model.ts";
import { lineOfModel } from "../simulate/played-line.ts";

export interface ShelvedModel {
  readonly id: string;
  /** With every tag of the model; its unit id means nothing. */
  readonly device: DeviceConfig;
}

/** A name that would be found in any text. */
const WORD_MIN = 4;

export class ModelShelf {
  #models: readonly ShelvedModel[] | undefined;

  /** Loaded when first asked for: a line without devices needs none. */
  models(): readonly ShelvedModel[] {
    this.#models ??= modelNames().flatMap((id) => {
      const [device] = lineOfModel({ model: id, unitId: "1", serial: "9600 8N1" }).devices;
      return device === undefined ? [] : [{ id, device }];
    });
    return this.#models;
  }

  /** The model whose name stands in what a device says of itself. */
  named(text: string): string | undefined {
    const all = modelNames().map((id) => ({ id, words: wordsOf(showModel(id).name) }));
    return all.find(({ words }) => words.some((word) => stands(word, text)))?.id;
  }
}

/** Of `SDM630-Modbus` what only this type is called; of `XY-MD02` also the whole. */
function wordsOf(name: string): readonly string[] {
  return [...name.split(/[\s/,-]+/), ...name.split(/[\s/,]+/)]
    .map(plain)
    .filter((word) => word.length >= WORD_MIN && /\d/.test(word) && /[a-z]/.test(word));
}

/** However it is spaced, but not as a part of another name: an SDM6300 is no SDM630, a CMD02 no MD02. */
function stands(word: string, text: string): boolean {
  const spaced = [...word].join("[^a-z0-9]*");
  return new RegExp(`(?<!${kin(word.at(0))})${spaced}(?!${kin(word.at(-1))})`).test(text.toLowerCase());
}

/** What would go on with the same number or the same letters. */
function kin(character = ""): string {
  return /\d/.test(character) ? "[0-9]" : "[a-z]";
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}
