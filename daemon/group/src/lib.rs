//! Node to node: identity, membership, state exchange, sealed datagrams, authenticated streams.
