// golang.org/x/oauth2/clientcredentials: one JSON command on standard input, one JSON answer on standard output.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type command struct {
	Ability       string            `json:"ability"`
	ClientID      string            `json:"client_id"`
	ClientSecret  string            `json:"client_secret"`
	Method        string            `json:"method"`
	TokenEndpoint string            `json:"token_endpoint"`
	RefreshToken  string            `json:"refresh_token"`
	AccessToken   string            `json:"access_token"`
	RowsURL       string            `json:"rows_url"`
	Parameters    map[string]string `json:"parameters"`
	Certificate   string            `json:"certificate"` // a PEM file with its key; empty: none
}

type refusal struct {
	Status    int    `json:"status"`
	Error     string `json:"error,omitempty"`
	Challenge string `json:"challenge,omitempty"`
}

var styles = map[string]oauth2.AuthStyle{
	"client_secret_basic": oauth2.AuthStyleInHeader,
	"client_secret_post":  oauth2.AuthStyleInParams,
	"tls":                 oauth2.AuthStyleInParams, // client_id alone: there is no secret
}

var abilities = map[string]func(context.Context, command) (any, error){
	"client_credentials": askForToken,
	"refresh":            refresh,
	"rows":               readRows,
}

func askForToken(ctx context.Context, asked command) (any, error) {
	form := url.Values{}
	for name, value := range asked.Parameters {
		form.Set(name, value)
	}
	configuration := clientcredentials.Config{
		ClientID:       asked.ClientID,
		ClientSecret:   asked.ClientSecret,
		TokenURL:       asked.TokenEndpoint,
		EndpointParams: form,
		AuthStyle:      styles[asked.Method],
	}
	return tell(configuration.Token(ctx))
}

func refresh(ctx context.Context, asked command) (any, error) {
	configuration := oauth2.Config{
		ClientID:     asked.ClientID,
		ClientSecret: asked.ClientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: asked.TokenEndpoint, AuthStyle: styles[asked.Method]},
	}
	held := &oauth2.Token{RefreshToken: asked.RefreshToken, Expiry: time.Unix(1, 0)}
	return tell(configuration.TokenSource(ctx, held).Token())
}

func tell(token *oauth2.Token, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"access_token":  token.AccessToken,
		"token_type":    token.TokenType,
		"expires_in":    token.Extra("expires_in"), // clientcredentials keeps the moment alone, in Expiry
		"refresh_token": token.RefreshToken,
		"scope":         token.Extra("scope"),
	}, nil
}

func readRows(ctx context.Context, asked command) (any, error) {
	held := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: asked.AccessToken})
	answer, err := oauth2.NewClient(ctx, held).Get(asked.RowsURL)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return refusal{Status: answer.StatusCode, Challenge: answer.Header.Get("WWW-Authenticate")}, nil
	}
	body, err := io.ReadAll(answer.Body)
	return json.RawMessage(body), err
}

// showCertificate gives a context whose requests show the command's certificate, if it has one.
func showCertificate(ctx context.Context, asked command) (context.Context, error) {
	if asked.Certificate == "" {
		return ctx, nil
	}
	pair, err := tls.LoadX509KeyPair(asked.Certificate, asked.Certificate)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport}), nil
}

func answer(input io.Reader, output io.Writer) error {
	var asked command
	if err := json.NewDecoder(input).Decode(&asked); err != nil {
		return err
	}
	able, known := abilities[asked.Ability]
	if !known {
		return fmt.Errorf("no such ability: %q", asked.Ability)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ctx, err := showCertificate(ctx, asked)
	if err != nil {
		return err
	}
	given, err := able(ctx, asked)
	var retrieval *oauth2.RetrieveError
	if errors.As(err, &retrieval) {
		given, err = refusal{Status: retrieval.Response.StatusCode, Error: retrieval.ErrorCode}, nil
	}
	if err != nil {
		return err
	}
	key := "given"
	if _, refused := given.(refusal); refused {
		key = "refused"
	}
	return json.NewEncoder(output).Encode(map[string]any{key: given})
}

func main() {
	if err := answer(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
