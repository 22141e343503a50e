import { ANNOTATION_CONTAINERS, didYouMean } from '../contract/index.ts';
import type { Pointer } from './json-patch.ts';
import { MalformedObjectError, readObjects, type JsonObject } from '../review/index.ts';

/** Comparing letters costs; a list that is wrong in more places, or longer, is no slip. */
const MAX_WARNINGS = 5;
const MAX_CANDIDATES = 50;

/** One container of a pod spec, by its place. */
export interface ContainerPlace {
  readonly list: 'containers' | 'initContainers';
  readonly index: number;
  readonly name: string;
  readonly container: JsonObject;
}

export interface ChosenContainers {
  readonly places: readonly ContainerPlace[];
  readonly warnings: readonly string[];
}

/**
 * The containers that are injected: every regular one, or exactly those of the list, among them init containers and native sidecars
 * (init containers that restart always). Ephemeral containers are never touched: they come to a running pod.
 */
export function chooseContainers(
  spec: JsonObject,
  path: Pointer,
  names: readonly string[] | undefined,
): ChosenContainers {
  const regular = readPlaces(spec, 'containers', path);
  if (names === undefined) return { places: regular, warnings: [] };

  const all = [...regular, ...readPlaces(spec, 'initContainers', path)];
  const wanted = new Set(names);
  const places = all.filter(({ name }) => wanted.has(name));
  for (const { name } of places) wanted.delete(name);
  const known = all.map(({ name }) => name);
  const warnings = [...wanted].slice(0, MAX_WARNINGS).map((name) => {
    const meant = didYouMean(name, known.slice(0, MAX_CANDIDATES));
    const hint =
      meant === undefined
        ? `there are ${known.slice(0, MAX_CANDIDATES).join(', ')}`
        : `did you mean "${meant}"?`;
    const consequence = places.length === 0 ? 'so nothing is injected' : 'it is ignored';
    return `${ANNOTATION_CONTAINERS}: there is no container "${name.slice(0, 63)}", ${consequence}; ${hint}`;
  });
  return { places, warnings };
}

function readPlaces(spec: JsonObject, list: ContainerPlace['list'], path: Pointer): ContainerPlace[] {
  const containers = readObjects(spec[list], `${path}/${list}`) ?? [];
  return containers.map((container, index) => {
    const { name } = container;
    // A container may come without a name and is then refused by the API server itself.
    if (name !== undefined && typeof name !== 'string') {
      throw new MalformedObjectError(`${path}/${list}/${index}/name`, 'a string');
    }
    return { list, index, name: name ?? '', container };
  });
}
