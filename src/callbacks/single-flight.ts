/** One run at a time for each key; who asks meanwhile shares its result. */
export interface SingleFlight<T> {
  underWay(key: string): Promise<T> | undefined;
  run(key: string, work: () => Promise<T>): Promise<T>;
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>();
  return {
    underWay: (key) => flights.get(key),
    run(key, work) {
      const existing = flights.get(key);
      if (existing !== undefined) return existing;
      const flight = work().finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
  };
}
