/** Runs in a browser. Texts go in as text, never as HTML. */
export const PAGE_SCRIPT = `'use strict';
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const resolve = (document_, schema) => {
  if (!schema.$ref) return schema;
  return document_.components.schemas[schema.$ref.split('/').pop()];
};

const example = (document_, schema) => {
  const node = resolve(document_, schema);
  if (node.default !== undefined) return node.default;
  if (node.enum) return node.enum[0];
  if (node.type === 'object') {
    return Object.fromEntries(Object.entries(node.properties || {}).map(([name, child]) => [name, example(document_, child)]));
  }
  if (node.type === 'array') return [example(document_, node.items)];
  return node.type === 'integer' ? 0 : '';
};

const form = (document_, path, method, operation) => {
  const fields = [];
  const parameters = (operation.parameters || []).filter((parameter) => parameter.name !== 'namespace');
  for (const parameter of parameters) {
    const input = make('input', { placeholder: parameter.description || '' });
    fields.push({ parameter, input });
  }
  const schema = operation.requestBody && operation.requestBody.content['application/json'].schema;
  const body = schema && make('textarea', { value: JSON.stringify(example(document_, schema), null, 2) });
  const answer = make('pre', { hidden: true });
  const send = make('button', { type: 'button', textContent: 'Send' });
  send.onclick = async () => {
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of fields) {
      if (input.value === '') continue;
      if (parameter.in === 'path') target = target.replace('{' + parameter.name + '}', encodeURIComponent(input.value));
      if (parameter.in === 'query') query.set(parameter.name, input.value);
      if (parameter.in === 'header') headers[parameter.name] = input.value;
    }
    const namespace = document.getElementById('namespace').value;
    if (namespace !== '') query.set('namespace', namespace);
    const token = document.getElementById('token').value;
    if (token !== '') headers.Authorization = 'Bearer ' + token;
    if (body) headers['Content-Type'] = 'application/json';
    answer.hidden = false;
    try {
      const suffix = query.size === 0 ? '' : '?' + query;
      const response = await fetch(target + suffix, { method: method.toUpperCase(), headers, body: body && body.value });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
      answer.textContent = response.status + ' ' + response.statusText + '\\n' + shown;
    } catch (error) {
      answer.textContent = String(error);
    }
  };
  const labels = fields.map(({ parameter, input }) => make('label', {}, parameter.name + ' (' + parameter.in + ')', input));
  return [...labels, ...(body ? [make('label', {}, 'body', body)] : []), send, answer];
};

fetch('/openapi.json').then((response) => response.json()).then((document_) => {
  document.getElementById('about').textContent = document_.info.description;
  const list = document.getElementById('operations');
  for (const [path, operations] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const title = make('summary', {}, make('code', { textContent: method.toUpperCase() + ' ' + path }), operation.summary);
      const answers = Object.entries(operation.responses).map(([code, { description }]) => make('li', { textContent: code + ': ' + description }));
      list.append(make('details', {}, title, ...form(document_, path, method, operation), make('ul', {}, ...answers)));
    }
  }
});
`;
