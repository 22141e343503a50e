// The state store: what outlives the applications. It also keeps a journal of all that they tell, in the order in which it came.
import { createServer, type IncomingMessage } from 'node:http';

interface Entry {
  readonly event: string;
  readonly namespace: string;
  readonly key: string;
  readonly count: number;
}

const journal: (Entry & { readonly at: string })[] = [];

async function readEntry(request: IncomingMessage): Promise<Entry> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return JSON.parse(body) as Entry;
}

/** `/state/NAMESPACE/KEY`: the count that was saved last. */
function savedCount(path: string): number | undefined {
  const [, , namespace, key] = path.split('/');
  return journal.findLast(
    (entry) => entry.event === 'saved' && entry.namespace === namespace && entry.key === key,
  )?.count;
}

createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://store');
  if (request.method === 'POST') {
    readEntry(request).then(
      (entry) => {
        const kept = { at: new Date().toISOString(), ...entry };
        journal.push(kept);
        console.log(JSON.stringify(kept));
        response.writeHead(204).end();
      },
      () => response.writeHead(400).end(),
    );
  } else if (url.pathname === '/journal') {
    const namespace = url.searchParams.get('namespace');
    const entries = journal.filter((entry) => namespace === null || entry.namespace === namespace);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(entries));
  } else {
    const count = savedCount(url.pathname);
    response.writeHead(count === undefined ? 404 : 200).end(count === undefined ? '' : String(count));
  }
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
