/** The unchanging heads of the example manifests, so that an example shows what matters. */

export const service = (body: string, head = "name: web"): string =>
  `apiVersion: v1\nkind: Service\nmetadata:\n  ${head}\n${body}\n`;

export const endpoints = (body: string, head = "name: web"): string =>
  `apiVersion: v1\nkind: Endpoints\nmetadata:\n  ${head}\n${body}\n`;

export const slice = (body: string): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-1\n  labels: {kubernetes.io/service-name: web}\n${body}\n`;

/** A Service like any other, for checks of the metadata. */
export const plain = (head: string): string => service("spec:\n  ports:\n  - port: 80", head);
