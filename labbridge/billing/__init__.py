"""The cash-pay money side: payment, superbills, HSA/FSA and payment plans, each with who said so and when."""
