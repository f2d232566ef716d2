//! Real clusters on loopback and a workload that keeps books.
