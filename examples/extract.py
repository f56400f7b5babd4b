"""Read an object out of a text: python examples/extract.py [MODEL]

The output type is the whole specification: the descriptions of its fields are sent to the model, and a validator
rejects an invoice whose sum is wrong, so that the model tries again.
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field

from pydantic_llm import Agent, Model, ModelRetry
from pydantic_llm.models.test import TestModel

LETTER = """
Bergen, 3 March. Dear Ms Lund, we repaired two windows (1,200.00 each) and painted the door (600.00).
Please pay 3,000.00 kr by 2 April 2027. Yours, Håkon's Joinery
"""


class Item(BaseModel):
    what: str
    count: int = 1
    price: Decimal = Field(description='of one of them')


class Invoice(BaseModel):
    seller: str
    due: date
    items: list[Item]
    total: Decimal


OFFLINE = {
    'seller': "Håkon's Joinery",
    'due': '2027-04-02',
    'items': [{'what': 'window', 'count': 2, 'price': '1200'}, {'what': 'painting the door', 'price': '600'}],
    'total': '3000',
}


def main(model: Model | str) -> None:
    agent = Agent(model, output_type=Invoice, instructions='Read the invoice.', output_retries=2)

    @agent.output_validator
    def check_total(invoice: Invoice) -> Invoice:
        total = sum(item.count * item.price for item in invoice.items)
        if total != invoice.total:
            raise ModelRetry(f'The items add up to {total}, not to {invoice.total}.')
        return invoice

    invoice = agent.run_sync(LETTER).output
    for item in invoice.items:
        print(f'{item.count} x {item.what}: {item.count * item.price}')
    print(f'{invoice.total} to {invoice.seller} by {invoice.due:%d %B %Y}')


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else TestModel(custom_output_args=OFFLINE))
