"""The word checker of challenges: joined words and sentences, the network, its training and export."""
