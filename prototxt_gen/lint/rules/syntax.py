"""Rules of the category syntax: what is no text format of protobuf, found by ``formats.text``."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "syntax",
    Severity.ERROR,
    {
        "syntax": """
            The text is not in protobuf's text format.

            Caffe reads a prototxt with protobuf's own parser (text_format.cc), which stops at the
            first such place: Caffe does not start. Here reading goes on, and all are shown.
            Write `name: value` or `name { ... }`; texts stand in quotes, and a comment starts
            with `#`.
            """,
        "unclosed-block": """
            A block is opened, and the file ends before it is closed.

            Caffe's parser (text_format.cc) refuses the file. The finding is at the block that
            lacks its brace, as far as that can be told: at a `layer` that holds another `layer`.
            Add the missing `}`; if the text stops in the middle, the file was cut off.
            """,
        "unexpected-close": """
            A brace closes a block, but none is open.

            Caffe's parser (text_format.cc) refuses the file.
            Remove the brace, or one too many in a block above.
            """,
        "extension": """
            A name in brackets means an extension, of which Caffe's messages have none.

            Caffe's parser (text_format.cc) finds no extension of the name, and refuses the file.
            Write the plain name of the field. A list of values needs a name before it:
            `dim: [1, 3]`.
            """,
        "nesting-too-deep": """
            Blocks are nested deeper than 100 levels.

            The limit is of this program: no message of Caffe's nests as deep.
            Look for braces that are opened and not closed.
            """,
        "number-too-long": """
            A number has more than 4096 characters.

            The limit is of this program: Caffe's numbers have at most 64 bits.
            Write fewer digits.
            """,
        "file-too-large": """
            The file has more than 256 MiB.

            The limit is of this program: what is larger is hardly a prototxt. Weights are in a
            caffemodel, which is another file.
            Give the prototxt; `resnet-proto --limit` raises the limit.
            """,
        "byte-order-mark": """
            The file starts with a byte order mark, as editors on Windows write it.

            It is three bytes that an editor does not show, and Caffe's parser (tokenizer.cc)
            refuses them.
            Save the file as UTF-8 without a byte order mark.
            """,
        "not-text": """
            The file is something else than a prototxt: an archive, a picture, a web page.

            Caffe's parser (text_format.cc) refuses it. The message says what it is, by its first
            bytes.
            Give the prototxt itself: unpack an archive, and download the raw file from a website.
            """,
        "merge-conflict": """
            The text has markers of a merge that was not finished.

            Git writes the lines <<<<<<<, ======= and >>>>>>> around two versions of a text that
            it cannot join. Caffe's parser (text_format.cc) refuses them. The other findings are
            those of the first version.
            Keep one of the two versions, and remove the markers.
            """,
        "placeholder": """
            The text is a template with holes that nobody filled in.

            Such a hole is $NAME, ${NAME}, {{ name }}, {name}, <<NAME>>, @NAME@ or %d where a name
            or a value is expected. Caffe's parser (text_format.cc) refuses it. In strings such
            words are names as any other.
            Write the value, or run the program that the template is for.
            """,
    },
)

described(
    "syntax",
    Severity.WARNING,
    {
        "unused-ignore": """
            A comment ignores a rule that does not exist, or that finds nothing there.

            Caffe reads no comments. The comment says something that is not true, or not any more.
            Correct the name of the rule, move the comment to the line of the finding or to the
            one before it, or remove it.
            """,
    },
)
