//! Many brains, virtual time, faults, seeds.
