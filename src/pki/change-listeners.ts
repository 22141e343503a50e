/** Functions that are told of a change; the one who tells survives what they throw. */
export interface ChangeListeners {
  /** Returns the function that ends it. Added twice, it is called twice. */
  add(listener: () => void): () => void;
  notify(): void;
}

export function createChangeListeners(onError: (error: unknown) => void): ChangeListeners {
  const listeners = new Map<symbol, () => void>();
  return {
    add(listener) {
      const id = Symbol('listener');
      listeners.set(id, listener);
      return () => listeners.delete(id);
    },
    notify() {
      for (const listener of [...listeners.values()]) {
        try {
          listener();
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
