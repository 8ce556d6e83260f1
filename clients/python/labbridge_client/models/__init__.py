"""Contains all the data models used in inputs/outputs"""

from .alert import Alert
from .alert_page import AlertPage
from .alert_state import AlertState
from .case_kind import CaseKind
from .case_state import CaseState
from .connection_health import ConnectionHealth
from .decision import Decision
from .decision_action import DecisionAction
from .file_address import FileAddress
from .flaw import Flaw
from .health import Health
from .health_status import HealthStatus
from .lab_company import LabCompany
from .lab_company_page import LabCompanyPage
from .lab_test import LabTest
from .lab_test_page import LabTestPage
from .ledger_page import LedgerPage
from .ledger_row import LedgerRow
from .open_test import OpenTest
from .order import Order
from .order_page import OrderPage
from .order_request import OrderRequest
from .order_request_page import OrderRequestPage
from .order_wish import OrderWish
from .ordered_test import OrderedTest
from .ordered_test_page import OrderedTestPage
from .paging import Paging
from .patient import Patient
from .patient_page import PatientPage
from .patient_question import PatientQuestion
from .patient_ref import PatientRef
from .phase import Phase
from .plain_order import PlainOrder
from .plain_order_page import PlainOrderPage
from .plain_ordered_test import PlainOrderedTest
from .plain_ordered_test_page import PlainOrderedTestPage
from .problem import Problem
from .request_state import RequestState
from .result import Result
from .result_page import ResultPage
from .result_state import ResultState
from .result_value import ResultValue
from .result_values import ResultValues
from .review_case import ReviewCase
from .review_case_page import ReviewCasePage
from .sync_started import SyncStarted

__all__ = (
    "Alert",
    "AlertPage",
    "AlertState",
    "CaseKind",
    "CaseState",
    "ConnectionHealth",
    "Decision",
    "DecisionAction",
    "FileAddress",
    "Flaw",
    "Health",
    "HealthStatus",
    "LabCompany",
    "LabCompanyPage",
    "LabTest",
    "LabTestPage",
    "LedgerPage",
    "LedgerRow",
    "OpenTest",
    "Order",
    "OrderedTest",
    "OrderedTestPage",
    "OrderPage",
    "OrderRequest",
    "OrderRequestPage",
    "OrderWish",
    "Paging",
    "Patient",
    "PatientPage",
    "PatientQuestion",
    "PatientRef",
    "Phase",
    "PlainOrder",
    "PlainOrderedTest",
    "PlainOrderedTestPage",
    "PlainOrderPage",
    "Problem",
    "RequestState",
    "Result",
    "ResultPage",
    "ResultState",
    "ResultValue",
    "ResultValues",
    "ReviewCase",
    "ReviewCasePage",
    "SyncStarted",
)
