"""Go's text/template language in Python, with the functions of consul-template that look nothing up."""
