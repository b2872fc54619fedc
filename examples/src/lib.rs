//! Reference servers for realtime voice models on the telephone.
