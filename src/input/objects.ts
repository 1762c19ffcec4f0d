/**
 * The objects between schema and manifest: every field has the right JSON type, nulls are gone and defaults are
 * filled in, but the values may still be wrong. The checks read these.
 */

export type TextMap = Readonly<Record<string, string>>;
export type Kind = "Service" | "Endpoints" | "EndpointSlice" | "Node" | "Pod";

export interface OwnerReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly controller?: boolean;
}

export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly fieldsType?: string;
  readonly subresource?: string;
}

export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly generateName?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: TextMap;
  readonly annotations?: TextMap;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

export interface PortObject {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly targetPort: number | string;
  readonly nodePort: number;
  readonly appProtocol?: string;
}

export interface IngressObject {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: string;
}

export interface ServiceSpecObject {
  readonly type: string;
  readonly clusterIP: string;
  readonly clusterIPs: readonly string[];
  readonly ipFamilies: readonly string[];
  readonly ipFamilyPolicy?: string;
  readonly ports: readonly PortObject[];
  readonly selector?: TextMap;
  readonly externalIPs: readonly string[];
  readonly externalName: string;
  readonly externalTrafficPolicy: string;
  readonly internalTrafficPolicy?: string;
  readonly healthCheckNodePort: number;
  readonly loadBalancerIP: string;
  readonly loadBalancerClass?: string;
  readonly loadBalancerSourceRanges: readonly string[];
  readonly allocateLoadBalancerNodePorts?: boolean;
  readonly publishNotReadyAddresses?: boolean;
  readonly sessionAffinity: string;
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  readonly trafficDistribution?: string;
}

export interface ServiceObject {
  readonly kind: "Service";
  readonly metadata: Metadata;
  readonly spec: ServiceSpecObject;
  readonly ingress: readonly IngressObject[];
}

export interface AddressObject {
  readonly ip?: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: { readonly uid?: string; readonly name?: string };
}

export interface EndpointPortObject {
  readonly name: string;
  readonly protocol: string;
  readonly port?: number;
  readonly appProtocol?: string;
}

export interface SubsetObject {
  readonly addresses?: readonly AddressObject[];
  readonly notReadyAddresses?: readonly AddressObject[];
  readonly ports: readonly EndpointPortObject[];
}

export interface EndpointsObject {
  readonly kind: "Endpoints";
  readonly metadata: Metadata;
  readonly subsets: readonly SubsetObject[];
}

export interface SliceEndpointObject {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly deprecatedTopology?: TextMap;
  readonly hints?: {
    readonly forZones?: readonly { readonly name?: string }[];
    readonly forNodes?: readonly { readonly name?: string }[];
  };
}

export interface EndpointSliceObject {
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  readonly addressType: string;
  readonly endpoints: readonly SliceEndpointObject[];
  readonly ports: readonly EndpointPortObject[];
}

export interface NodeObject {
  readonly kind: "Node";
  readonly metadata: Metadata;
  readonly podCIDRs: readonly string[];
  readonly addresses: readonly { readonly type?: string; readonly address?: string }[];
}

export interface ContainerObject {
  readonly name?: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort?: number; readonly protocol?: string }[];
}

export interface PodObject {
  readonly kind: "Pod";
  readonly metadata: Metadata;
  readonly spec: {
    readonly nodeName?: string;
    readonly hostname?: string;
    readonly subdomain?: string;
    readonly hostNetwork?: boolean;
    readonly containers: readonly ContainerObject[];
    readonly initContainers: readonly ContainerObject[];
  };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs: readonly { readonly ip?: string }[];
    readonly conditions: readonly { readonly type?: string; readonly status?: string }[];
  };
}

export type InputObject = ServiceObject | EndpointsObject | EndpointSliceObject | NodeObject | PodObject;
