package imports

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what `go list -json` says about one, as far as the rules go.
type Package struct {
	ImportPath   string
	Doc          string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// Violations lists what is wrong with packages of a module, a line each.
func Violations(module string, packages []Package) []string {
	var found []string
	for _, p := range packages {
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.TrimSpace(p.Doc) == "" {
			found = append(found, folder+": has no package comment: say what runs here, on which thread, what it may touch")
		}
		rule, under, ok := ruleFor(folder)
		if !ok {
			found = append(found, folder+": has no rule: add a row to test/imports/rules.go")
			continue
		}
		c := checker{module, folder, under, rule}
		found = append(found, c.check(p.Imports, nil)...)
		found = append(found, c.check(slices.Concat(p.TestImports, p.XTestImports), slices.Concat(testsMay, rule.Tests))...)
		if len(p.CgoFiles) > 0 && !rule.C {
			found = append(found, fmt.Sprintf("%s: %s: uses cgo: only package dpdk does", folder, p.CgoFiles[0]))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// ruleFor finds the row of a folder or of the nearest folder above it.
func ruleFor(folder string) (rule Rule, under string, ok bool) {
	for under = folder; under != ""; {
		if rule, ok = Rules[under]; ok {
			return rule, under, true
		}
		cut := strings.LastIndexByte(under, '/')
		under = under[:max(cut, 0)]
	}
	return Rule{}, "", false
}

// checker judges the imports of one folder by the rule of folder under.
type checker struct {
	module, folder, under string
	rule                  Rule
}

func (c checker) check(imports, extra []string) []string {
	var found []string
	for _, path := range imports {
		if why := c.judge(path, extra); why != "" {
			found = append(found, fmt.Sprintf("%s: imports %s: %s", c.folder, path, why))
		}
	}
	return found
}

// judge says why an import is forbidden, "" if it is not.
func (c checker) judge(path string, extra []string) string {
	if path == "C" || within(path, goDPDK) {
		if !c.rule.C {
			return "only package dpdk speaks C"
		}
		return ""
	}
	if !within(path, c.module) || c.rule.AnyOwn {
		return ""
	}
	own := strings.TrimPrefix(strings.TrimPrefix(path, c.module), "/")
	if within(own, c.under) || slices.Contains(c.rule.Own, own) ||
		slices.ContainsFunc(extra, func(root string) bool { return within(own, root) }) {
		return ""
	}
	return fmt.Sprintf("%s may import of ours %v", c.under, c.rule.Own)
}

// within says whether a path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}
