"""The demonstration: an agent, three web servers, HAProxy and pyconsul-template, all real, on this machine."""
