// PocketBase with the benchmark's collections. `serve` is PocketBase's own command; `seed FILE` creates one
// user and the collections, and loads items, one JSON object a line. POCKETBASE_SYNCHRONOUS=FULL makes
// every commit durable; without it the database is opened as PocketBase does by default. A hook keeps the moments at which
// it is told of new records of `triggered`; GET /bench/times gives and forgets them.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
	"github.com/spf13/cobra"
)

const (
	ownerID       = "benchowner00000"
	ownerEmail    = "owner@bench.example"
	ownerPassword = "bench-password"
	ownerRule     = "owner = @request.auth.id"
)

func main() {
	app := pocketbase.NewWithConfig(pocketbase.Config{HideStartBanner: true, DBConnect: connect})
	keepTimes(app)
	app.RootCmd.AddCommand(&cobra.Command{
		Use:  "seed FILE",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return seed(app, args[0]) },
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// keepTimes keeps pairs of a title and microseconds of the system's monotonic clock.
func keepTimes(app core.App) {
	var mutex sync.Mutex
	times := [][2]string{}
	app.OnRecordAfterCreateSuccess("triggered").BindFunc(func(event *core.RecordEvent) error {
		var now syscall.Timespec
		const monotonic = 1
		syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&now)), 0)
		mutex.Lock()
		times = append(times, [2]string{event.Record.GetString("title"), strconv.FormatInt(now.Nano()/1000, 10)})
		mutex.Unlock()
		return event.Next()
	})
	app.OnServe().BindFunc(func(event *core.ServeEvent) error {
		event.Router.GET("/bench/times", func(request *core.RequestEvent) error {
			mutex.Lock()
			taken := times
			times = [][2]string{}
			mutex.Unlock()
			return request.JSON(200, taken)
		})
		return event.Next()
	})
}

// connect opens a database as PocketBase does by default, or with the asked-for synchronous mode and all other
// pragmas alike.
func connect(path string) (*dbx.DB, error) {
	mode := os.Getenv("POCKETBASE_SYNCHRONOUS")
	if mode == "" {
		return core.DefaultDBConnect(path)
	}
	pragmas := []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "journal_size_limit(200000000)", "synchronous(" + mode + ")",
		"foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-32000)",
	}
	return dbx.Open("sqlite", path+"?_pragma="+strings.Join(pragmas, "&_pragma="))
}

func seed(app core.App, file string) error {
	if err := disableRequestLog(app); err != nil {
		return err
	}
	users, err := createOwner(app)
	if err != nil {
		return err
	}
	items, err := createCollection(app, "items", users, true)
	if err != nil {
		return err
	}
	items.AddIndex("items_by_amount", false, "amount", "")
	if err := app.Save(items); err != nil {
		return err
	}
	for _, name := range []string{"writes", "triggered"} {
		if _, err := createCollection(app, name, users, false); err != nil {
			return err
		}
	}
	return loadItems(app, items, file)
}

func disableRequestLog(app core.App) error {
	settings := app.Settings()
	settings.Logs.MaxDays = 0
	return app.Save(settings)
}

func createOwner(app core.App) (*core.Collection, error) {
	users, err := app.FindCollectionByNameOrId("users")
	if err != nil {
		return nil, err
	}
	owner := core.NewRecord(users)
	owner.Id = ownerID
	owner.SetEmail(ownerEmail)
	owner.SetPassword(ownerPassword)
	owner.SetVerified(true)
	return users, app.Save(owner)
}

func createCollection(app core.App, name string, users *core.Collection, hideInternal bool) (*core.Collection, error) {
	collection := core.NewBaseCollection(name)
	collection.ListRule = types.Pointer(ownerRule)
	collection.ViewRule = types.Pointer(ownerRule)
	collection.CreateRule = types.Pointer(ownerRule)
	collection.Fields.Add(
		&core.RelationField{Name: "owner", CollectionId: users.Id, MaxSelect: 1, Required: true},
		&core.TextField{Name: "title"},
		&core.TextField{Name: "category"},
		&core.TextField{Name: "body"},
		&core.NumberField{Name: "amount"},
		&core.NumberField{Name: "rating"},
		&core.TextField{Name: "internal", Hidden: hideInternal},
	)
	return collection, app.Save(collection)
}

func loadItems(app core.App, items *core.Collection, file string) error {
	input, err := os.Open(file)
	if err != nil {
		return err
	}
	defer input.Close()
	lines := bufio.NewScanner(input)
	return app.RunInTransaction(func(tx core.App) error {
		for lines.Scan() {
			var values dbx.Params
			if err := json.Unmarshal(lines.Bytes(), &values); err != nil {
				return err
			}
			if _, err := tx.DB().Insert(items.Name, values).Execute(); err != nil {
				return err
			}
		}
		return lines.Err()
	})
}
