"""Word times that can be trusted, and words that are not believed: pure columnar functions over a batch of dialogues.

``mend`` puts every word where its channel speaks; ``doubt`` says which words nobody said, and why.
"""
