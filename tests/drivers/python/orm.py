"""What stands on drivers: `orm.py sqlalchemy|django`, both on PyMySQL, both with their pools of connections."""

import sys
import threading
import time

from place import CA, HOST, MYSQL, PASSWORD, PORT, SCHEMA, UNICODE, USER, check, done, ready, step, told_to_stop

THREADS = 4


def work_in_threads(transaction):
    """Runs `transaction(number)` in threads until told to stop; gives how often each was done."""
    step("load")
    counts, failures, stop = [0] * THREADS, [], threading.Event()

    def work(thread):
        try:
            while not stop.is_set():
                transaction(thread * 1_000_000 + counts[thread])
                counts[thread] += 1
                time.sleep(0.005)
        except BaseException as error:  # noqa: B902 (the main thread tells)
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    while not stop.is_set() and not told_to_stop():
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts)


def sqlalchemy():
    from sqlalchemy import BigInteger, LargeBinary, String, create_engine, func, select
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "d_sqlalchemy"
        __table_args__ = {"mysql_charset": "utf8mb4"}
        id = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        text = mapped_column(String(200))
        data = mapped_column(LargeBinary(1 << 20))

    engine = create_engine(
        f"mysql+pymysql://{USER}:{PASSWORD}@{HOST}:{PORT}/{SCHEMA}?charset=utf8mb4",
        pool_size=2,
        max_overflow=1,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"ssl": {"ca": CA}},
    )
    step("models")
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Item(id=-1, text=UNICODE, data=bytes(range(256))))
        session.commit()
        item = session.get(Item, -1)
        check(item.text == UNICODE and item.data == bytes(range(256)), "an object")
        session.add(Item(id=-1))
        session.expunge(item)
        try:
            session.commit()
            raise AssertionError("a duplicate was taken")
        except IntegrityError:
            session.rollback()
        session.delete(session.get(Item, -1))
        session.commit()
    ready()

    def transaction(number):
        with Session(engine) as session:
            session.add(Item(id=number, text="new"))
            session.flush()
            session.get(Item, number).text = "changed"
            session.commit()

    count = work_in_threads(transaction)
    with Session(engine) as session:
        found = session.scalar(select(func.count()).where(Item.text == "changed"))
        check(found == count, f"{found} of {count}")
    done(count)


def django():
    import pymysql

    # Django looks for mysqlclient by this name, and at its version.
    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings
    from django.db import connection, connections, models, transaction as in_transaction
    from django.db.utils import IntegrityError

    database = {
        "ENGINE": "django.db.backends.mysql",
        "HOST": HOST,
        "PORT": PORT,
        "USER": USER,
        "PASSWORD": PASSWORD,
        "NAME": SCHEMA,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"charset": "utf8mb4", "ssl": {"ca": CA}},
    }
    settings.configure(DATABASES={"default": database}, USE_TZ=True, INSTALLED_APPS=[])
    django.setup()

    class Item(models.Model):
        id = models.BigIntegerField(primary_key=True)
        text = models.CharField(max_length=200)
        data = models.JSONField(null=True)
        at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label = "drivers"
            db_table = "d_django"

    step("models")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS d_django")
    with connection.schema_editor() as editor:
        editor.create_model(Item)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE d_django CONVERT TO CHARACTER SET utf8mb4")
    Item.objects.create(id=-1, text=UNICODE, data={"a": [1, UNICODE]})
    item = Item.objects.get(text=UNICODE)
    check(item.data == {"a": [1, UNICODE]}, "an object")
    try:
        Item.objects.create(id=-1, text="again")
        raise AssertionError("a duplicate was taken")
    except IntegrityError:
        pass
    item.delete()
    ready()

    def transaction(number):
        with in_transaction.atomic():
            item = Item.objects.create(id=number, text="new")
            with in_transaction.atomic():
                item.text = "changed"
                item.save()
        if number % 10 == 9:
            connections.close_all()

    count = work_in_threads(transaction)
    found = Item.objects.filter(text="changed").count()
    check(found == count, f"{found} of {count}")
    done(count)


{"sqlalchemy": sqlalchemy, "django": django}[sys.argv[1]]()
