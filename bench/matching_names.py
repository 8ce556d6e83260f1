"""Names, nicknames, twins and towns from which bench/matching_people.py draws. No list of the matcher's is used."""

from __future__ import annotations


def _listed(text: str) -> list[str]:
    """Entries between bars."""
    return [" ".join(entry.split()) for entry in text.split("|")]


def _rows(text: str) -> list[tuple[str, ...]]:
    """Entries between bars, their parts between commas."""
    return [tuple(part.strip() for part in entry.split(",")) for entry in _listed(text)]


WOMEN = _listed("""
Mary | Patricia | Jennifer | Linda | Elizabeth | Barbara | Susan | Jessica | Sarah | Karen | Lisa | Nancy |
Betty | Sandra | Margaret | Ashley | Kimberly | Emily | Donna | Michelle | Carol | Amanda | Melissa |
Deborah | Stephanie | Rebecca | Laura | Sharon | Cynthia | Dorothy | Amy | Kathleen | Angela | Shirley |
Brenda | Emma | Anna | Pamela | Nicole | Samantha | Katherine | Christine | Helen | Debra | Rachel | Carolyn
| Janet | Maria | Olivia | Heather | Diane | Julie | Joyce | Victoria | Ruth | Virginia | Lauren | Kelly |
Christina | Joan | Evelyn | Judith | Andrea | Hannah | Megan | Cheryl | Jacqueline | Martha | Madison |
Teresa | Gloria | Sara | Janice | Ann | Kathryn | Abigail | Sophia | Jean | Alice | Guadalupe | Xiomara |
Ximena | Aaliyah | Priya | Ananya | Mei | Yuki | Fatima | Zainab | Olena | Ingrid | Siobhán | Zoë | Renée |
Noémie | Lucía | Íris | Björk | Søs | Anaïs | Thảo
""")
MEN = _listed("""
James | Robert | John | Michael | David | William | Richard | Joseph | Thomas | Charles | Christopher |
Daniel | Matthew | Anthony | Mark | Donald | Steven | Andrew | Paul | Joshua | Kenneth | Kevin | Brian |
George | Timothy | Ronald | Jason | Edward | Jeffrey | Ryan | Jacob | Gary | Nicholas | Eric | Jonathan |
Stephen | Larry | Justin | Scott | Brandon | Benjamin | Samuel | Gregory | Alexander | Patrick | Frank |
Raymond | Jack | Dennis | Jerry | Tyler | Aaron | Jose | Adam | Nathan | Henry | Zachary | Douglas | Peter |
Kyle | Noah | Ethan | Jeremy | Walter | Christian | Keith | Roger | Terry | Austin | Sean | Gerald | Carl |
Harold | Dylan | Arthur | Lawrence | Jordan | Jesse | Bryan | Prince | Dean | King | Bishop | Mohammed |
Omar | Arjun | Wei | Hiroshi | Kwame | Dmytro | Łukasz | Jürgen | Håkon | Søren | Tomás | Ángel | Nicolás |
Đức
""")
SURNAMES = _listed("""
Smith | Johnson | Williams | Brown | Jones | Garcia | Miller | Davis | Rodriguez | Martinez | Hernandez |
Lopez | Gonzalez | Wilson | Anderson | Thomas | Taylor | Moore | Jackson | Martin | Lee | Perez | Thompson |
White | Harris | Sanchez | Clark | Ramirez | Lewis | Robinson | Walker | Young | Allen | King | Wright |
Scott | Torres | Nguyen | Hill | Flores | Green | Adams | Nelson | Baker | Hall | Rivera | Campbell |
Mitchell | Carter | Roberts | Gomez | Phillips | Evans | Turner | Diaz | Parker | Cruz | Edwards | Collins |
Reyes | Stewart | Morris | Morales | Murphy | Cook | Rogers | Gutierrez | Ortiz | Morgan | Cooper | Peterson
| Bailey | Reed | Kelly | Howard | Ramos | Kim | Cox | Ward | Richardson | Watson | Brooks | Chavez | Wood |
James | Bennett | Gray | Mendoza | Ruiz | Hughes | Price | Alvarez | Castillo | Sanders | Patel | Myers |
Long | Ross | Foster | Jimenez | Wu | Li | Ng | Tran | O'Brien | O'Connor | McDonald | MacLeod | de la Cruz
| van der Berg | von Müller | Saint-Clair | St. John | García López | Núñez | Müller | Schröder | Sørensen |
Łuczak | D'Angelo | Del Rio | Al-Farsi | Ben-David | Okonkwo-Eze | Major
""")
PET_NAMES = {
    full: [short.strip() for short in forms.split(",")]
    for full, _, forms in (
        entry.partition(":")
        for entry in _listed("""
Elizabeth: Liz, Beth, Betsy, Eliza, Lizzie | Margaret: Peggy, Maggie, Meg | Katherine: Kate, Kathy, Katie |
Kathleen: Kathy | Jennifer: Jen, Jenny | Patricia: Pat, Trish, Patty | Susan: Sue, Susie | Jessica: Jess |
Rebecca: Becky | Deborah: Debbie, Deb | Samantha: Sam | Christine: Chris, Chrissy | Christina: Tina, Chris |
Victoria: Vicky, Tori | Abigail: Abby | Amanda: Mandy | Barbara: Barb | Cynthia: Cindy | Pamela: Pam |
Kimberly: Kim | Jacqueline: Jackie | Teresa: Terry | Judith: Judy | Stephanie: Steph | Robert: Bob, Rob,
Bobby | William: Bill, Will, Billy | Richard: Rick, Dick, Rich | James: Jim, Jimmy | John: Jack, Johnny |
Michael: Mike, Mickey | David: Dave | Joseph: Joe | Thomas: Tom, Tommy | Charles: Chuck, Charlie |
Christopher: Chris, Topher | Daniel: Dan, Danny | Matthew: Matt | Anthony: Tony | Donald: Don | Steven:
Steve | Andrew: Andy, Drew | Joshua: Josh | Kenneth: Ken | Timothy: Tim | Ronald: Ron | Edward: Ed, Ted, Ned
| Jeffrey: Jeff | Nicholas: Nick | Jonathan: Jon | Benjamin: Ben | Samuel: Sam | Gregory: Greg | Alexander:
Alex, Xander | Patrick: Pat, Paddy | Zachary: Zach | Nathan: Nate | Lawrence: Larry | Gerald: Jerry |
Douglas: Doug | Walter: Walt | Jose: Pepe | Guadalupe: Lupe | Ángel: Angelito | Mohammed: Mo
""")
    )
}

#: Twins whose names are easily taken for each other.
ALIKE_TWINS = _rows("""
Jon, Jan | Jayden, Kayden | Aiden, Jaiden | Marian, Marina | Elias, Elisa | Eric, Erin | Daniel, Danielle |
Gabriel, Gabriela | Christian, Christina | Anna, Hannah | Ellen, Helen | Maria, Marie | Carol, Carly | Joan,
Jean | Michael, Michelle | Brian, Ryan | Tia, Mia | Kelly, Kerry | Dana, Dina | Alan, Alana | Paul, Paula |
Luis, Luisa | Ella, Bella | Terry, Jerry | Lisa, Elizabeth | Jane, Janet | Ann, Nancy | Aaron, Erin | Carl,
Carla | Julia, Juliana | Wei, Mei | Haley, Kaley | Landon, Brandon | Jo, Joe | Lee, Leo
""")

#: Twins, and a short form that stands in one record: it means the second twin, and fits the first as well.
SHORT_TWINS = _rows("""
Alexander, Alexandra, Alex | Edward, Edwin, Ed | Christopher, Christina, Chris | Samuel, Samantha, Sam |
Katherine, Kathleen, Kathy | Patrick, Patricia, Pat | Theodore, Edward, Ted | Edward, Theodore, Ted |
Daniel, Danielle, Dani | Gerald, Geraldine, Gerry | Robert, Roberta, Bobbie | Nicholas, Nicole, Nicky |
Frances, Francis, Fran | Joseph, Josephine, Jo | Christine, Christina, Chris | Maryann, Marianne, Mary |
Albert, Alfred, Al | Donald, Ronald, Ron | Gabriel, Gabrielle, Gabi | Stephen, Stephanie, Steph | Jessica,
Jesse, Jess | Valentina, Valeria, Val
""")
DOUBLE_TWINS = _rows("""
Mary Ann, Mary Beth | José Luis, José Antonio | Juan Carlos, Juan Pablo | María Luisa, María Lucía | Emma
Grace, Emma Rose | Anne Marie, Anne Sophie | Luz Elena, Luz María | Jean-Paul, Jean-Luc | Billy Ray, Billy
Joe | Ana Sofía, Ana Lucía | Sarah Jane, Sarah Kate | Thi Lan, Thi Hoa
""")
STREETS = _listed("""
Main | Oak | Park | Elm | Washington | Maple | Cedar | Lake | Hill | 2nd | Sunset | North Pine | Camino Real
| Martin Luther King Jr.
""")

#: Each kind of street in two spellings.
KINDS = _rows("Street, St | Avenue, Ave. | Road, Rd | Drive, Dr | Boulevard, Blvd | Lane, Ln")
TOWNS = _rows("""
Springfield, IL, Illinois, 62701 | Riverside, CA, California, 92501 | Salem, MA, Massachusetts, 01970 |
Franklin, TN, Tennessee, 37064 | Madison, WI, Wisconsin, 53703 | Dover, DE, Delaware, 19901
""")
HOSTS = _listed(
    "gmail.com | gmail.com | yahoo.com | outlook.com | icloud.com | mail.example | clinic-mail.example"
)
AREAS = (212, 213, 303, 312, 404, 415, 503, 602, 617, 713, 818, 917)
KEYS = "qwertyuiop asdfghjkl zxcvbnm"
