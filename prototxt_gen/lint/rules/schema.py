"""Rules of the category schema: what no message of Caffe's holds, found by ``formats``."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "schema",
    Severity.ERROR,
    {
        "unknown-field": """
            A field that no known Caffe has in this block, or not the one that is asked for.

            Caffe's parser (text_format.cc) knows the fields of caffe.proto only; it refuses the
            file at any other one.
            Correct the name, move the field into the block that has it, or choose with
            `--dialect` the fork that has it.
            """,
        "wrong-type": """
            A value has another type than its field.

            Caffe's parser (text_format.cc) refuses the file: a text has quotes, a number and the
            name of an enum's value have none, and only a repeated field takes a list.
            Write the value as the message says.
            """,
        "out-of-range": """
            A whole number is too large or too small for its field.

            Caffe's parser (text_format.cc) refuses the file: most fields have 32 bits, and those
            of sizes have no sign.
            Write a number between the bounds that the message gives.
            """,
        "unknown-enum-value": """
            A name or a number that is no value of the field's enum.

            Caffe's parser (text_format.cc) refuses the file.
            Write one of the values, in capitals and without quotes; with another `--dialect`
            there may be more.
            """,
        "duplicate-field": """
            A field is given twice in a block that may have it only once.

            Caffe's parser (text_format.cc) refuses the file; it does not take the last one.
            Remove one of them. Often a layer's closing brace is missing between the two.
            """,
        "missing-required": """
            A block lacks a field that it cannot be without.

            Caffe's parser (text_format.cc) refuses a message without its required fields.
            Add the field; the message names it.
            """,
        "mixed-dialects": """
            The file has fields of several forks, and no known Caffe has all of them.

            Each Caffe refuses the fields of the others; in a binary, where fields are numbers,
            forks read one number as different fields.
            Choose one with `--dialect`; what that one does not have is then reported field by
            field.
            """,
        "unknown-message": """
            The file is a message that the Caffe asked for with `--dialect` does not have.

            That Caffe has no reader for it: LabelMap, for example, is of SSD's fork.
            Choose a dialect that has the message; the help lists them.
            """,
    },
)
