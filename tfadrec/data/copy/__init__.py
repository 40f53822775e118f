"""Ad copy to tokens and vectors: tokenizers, corpora, caches."""
