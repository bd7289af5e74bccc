/**
 * The part of the reflect-metadata API that @peculiar/x509's injection asks for, and stops at import without.
 * Nothing here is ever read back but a class's own injection tokens. Import it before @peculiar/x509.
 */

const metadataOf = new WeakMap<object, Map<unknown, unknown>>();

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const metadata = metadataOf.get(target) ?? new Map<unknown, unknown>();
  metadataOf.set(target, metadata.set(key, value));
}

function getMetadata(key: unknown, target: object): unknown {
  return metadataOf.get(target)?.get(key);
}

if (!("getMetadata" in Reflect)) {
  Object.assign(Reflect, { defineMetadata, getMetadata, getOwnMetadata: getMetadata });
}
