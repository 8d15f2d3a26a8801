"""From a place full of recordings to the table ``dialogues``: one file per kind of source, and the stage."""
